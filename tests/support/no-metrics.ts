/** The metrics of a data file that exists in name only. */
import type { FileMetrics } from '#src/lake/file-metrics';

export const NO_METRICS: FileMetrics = {
  columnSizes: {},
  valueCounts: {},
  nullCounts: {},
  lower: {},
  upper: {},
  splitOffsets: [],
};
