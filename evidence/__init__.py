"""Evidence: generates, scores and judges pictures, and turns the samples into rows and values of the ledger.

Cards (`evidence.cards`) declare generators and scorers, protocols (`evidence.protocols`) what is measured, engines
(`evidence.engines`) where it runs. Importing this package loads nothing; torch is imported when a model is loaded.
"""
