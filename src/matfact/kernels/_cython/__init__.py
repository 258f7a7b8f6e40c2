"""The compiled kernels; chosen, or not, by `matfact.kernels`."""
