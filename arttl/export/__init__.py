"""Models for programs other than arttl: ONNX, `torch.export`, a folder for the Hugging Face Hub."""
