"""Training: degradations, patches, nets, losses, fitting, export (extra ``[train]``)."""
