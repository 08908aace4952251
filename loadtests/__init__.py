"""Load tests: programs that start what they measure themselves, and the client they use."""
