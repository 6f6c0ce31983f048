"""How the embedded models are made from nothing: pictures, vocabulary, autoencoder, painter, readers."""
