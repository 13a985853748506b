-- For the scripts as Redis gets them (`make lua-check`): what Redis gives, and names of the legend used again inside.
std = "lua51"
read_globals = { "redis", "struct", "cjson", "cmsgpack", "bit", "KEYS", "ARGV" }
max_line_length = 160
ignore = { "43." }
