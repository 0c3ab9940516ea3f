"""Delivery: everything that carries a journal to the trackers, outside the training process.

supervisor   one per run: starts, watches and restarts the couriers
courier      one per tracker: follows the journal and calls the plugin
facade       the typed face of a plugin; nobody else speaks to pluggy
cursor       how far a courier has got, and its receipt, in one file
"""
