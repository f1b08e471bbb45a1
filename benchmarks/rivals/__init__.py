"""What `rmq worker` is measured beside: contestant.py runs in an environment of each rival's
own."""
