"""Twice what a door can take: whether its answers stay in time or say when to come back, and what holds afterwards.

Door: `overload` (`overload`, `OverloadPlan`), `doors` (`DOORS`), `verdict` (`DoorVerdict`, `OverloadResult`),
`memory` (`NodeMemory`), `questions` (`Treatment`).
"""
