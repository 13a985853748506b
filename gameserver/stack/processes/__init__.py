"""Child processes: started, watched, stopped in phases, and never outliving their parent."""
