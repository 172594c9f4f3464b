"""The base voice run by onnxruntime, and its stock styles. No torch, no network."""
