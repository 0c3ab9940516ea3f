"""Random kills, many times: `make torture N=1000`. Each trial is told by its seed, and can be repeated alone."""
