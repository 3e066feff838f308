/** Where the package is installed: configs/ lies in it, whatever directory the process runs in. */
import { fileURLToPath } from 'node:url';

/** This file is built to `<root>/dist/config/package-root.js`. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));
