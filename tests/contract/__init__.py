"""The seams of the package: what implements them for tests, and one suite over everything that implements a transport."""
