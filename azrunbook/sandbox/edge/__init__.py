"""Azure Front Door's data path: one edge site, fed from ARM, in front of the clusters.

`config` reads the Microsoft.Cdn resources, `routing` decides (both pure), `health` probes the
origins, `forward` asks an origin, `server` is the listener that puts them together. The edge knows
neither ARM nor Kubernetes: it is given a configuration and a function that says where an origin's
listener is.
"""
