/**
 * A process that publishes one epoch and is killed (SIGKILL) at a named step of it:
 *
 *   node kill-victim.js DIRECTORY EPOCH STEP TABLE
 *
 * Started by the tests beside it. With a step that never comes it ends by itself. The environment says
 * where the tables are.
 */
import { publishEpoch } from '#src/supervision/data-directory';
import { commitEpoch, epochFiles, openDirectory } from '#tests/iceberg/real-lake';

const [dir = '', epoch, step, table] = process.argv.slice(2);
const kill = (name: string, of: string): void => {
  if (name === step && of === table) process.kill(process.pid, 'SIGKILL');
};
const data = await openDirectory(dir, kill, process.env);
const files = epochFiles(Number(epoch));
await publishEpoch(data, await commitEpoch(data, files), files);
await data.close();
