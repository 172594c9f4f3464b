"""What a coordinator runs; nearly empty until federated rounds arrive."""
