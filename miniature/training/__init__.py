"""The stages of training, each a module with one public function `train(...)`, a time budget and a checkpoint."""
