/** More rows than this become several files: what bounds the memory that makes or reads one. */
export const ROWS_PER_FILE_MAX = 262_144;
