/** `npm run generate`: everything that is made from something else but docs/options.md. `--check` fails when it is stale. */
import './generate-types.ts'
import './generate-chart.ts'
import './generate-state-machine.ts'
