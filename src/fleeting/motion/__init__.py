"""Motion: dense flow, strain, regions, head motion, temporal interpolation, magnification, the flow image."""
