"""What is about processes: their life, workers, crashes, proxies, deployment."""
