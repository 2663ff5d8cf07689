"""Templates and ledger to pages."""
