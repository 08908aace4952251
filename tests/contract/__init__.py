"""The seams of the package: what implements them for tests, and one suite over all transports."""
