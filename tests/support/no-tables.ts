/** For starts of a lake whose tables are not looked at: there are none to bring in line. */
import type { PublishedTables } from '#src/state/recovery';

export const NO_TABLES: PublishedTables = {
  reconcile: async () => {},
  shownEpochs: async () => () => [],
};
