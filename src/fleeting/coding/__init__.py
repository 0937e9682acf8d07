"""Films and what the analysis found in them come in; what people say of them is kept, compared and given away.

A coder accepts, corrects or refuses the machine's proposals, adds events, and marks stretches that cannot be coded
(`records.CodedEvent`). Start with `log`, where every edit is kept, and `films`. `proposals` tells what the coder has
made of the machine's events, `agreement` compares two coders with the formulas of `kappa`, `machine` says how good
the machine is. `imports` and `exports` speak with other programs. Nothing here knows of a web page.
"""
