"""The base voice as trainable torch modules, numerically the same as the ONNX graphs in `hometone_client.base`."""
