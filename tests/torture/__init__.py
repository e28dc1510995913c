"""Real runners, really killed, on a network that answers a fifth of all creates with a fault."""
