"""Child processes: started, watched, stopped in phases, and never outliving their parent.

Door: `supervisor` (`Supervisor`), `child` (`Child`), `process` (`Process`, `Launch`), `lock` (`FolderLock`),
`account` (`Account`), `ports`, `process_table`, `unix_paths`, `orphans`.
"""
