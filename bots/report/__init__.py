"""What a run shows a person: progress, figures, disturbances."""
