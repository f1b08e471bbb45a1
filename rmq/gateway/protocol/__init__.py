"""AWS's protocols, as pure functions over a service model: bytes in, values out, and back."""
