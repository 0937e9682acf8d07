"""Video in: decoding with true presentation timestamps, streaming, bounded memory."""
