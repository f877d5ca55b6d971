// Registers every transformer that comes with Crossfade, so that plans can use them by name.
import './channel.ts'
import './columns.ts'
import './convert.ts'
import './json.ts'
import './mask.ts'
import './message.ts'
import './split-merge.ts'
import './tenant.ts'
