"""Push: what topics deliver to everybody but queues. A dispatcher takes it there."""
