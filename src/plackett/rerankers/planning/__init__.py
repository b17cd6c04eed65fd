"""What a strategy costs and gains, before it is paid for."""
