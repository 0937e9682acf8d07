"""An event comes in, what it shows goes out.

`systems` lists who can name an event: our own recogniser (`recogniser`) and the published systems as they ship. They
see the event as `event_frames.EventView`. `action_units` says which muscles moved. `whole_face` reads the expression of
the whole face over time, with the network of `expression_net`; `occlusion` shows where that network looks. Start with
`systems`.
"""
