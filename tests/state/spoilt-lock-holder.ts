/** Has a state open, and says so, until it is killed: `node spoilt-lock-holder.js DIRECTORY`. */
import { StateStore } from '#src/state/store';

const store = await StateStore.open(process.argv[2]!, { readOnly: true });
process.send?.(store.epoch().epoch);
process.on('disconnect', () => process.exit());
