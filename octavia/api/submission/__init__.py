"""How a request becomes a job."""
