/**
 * The page that shows the OpenAPI document: `/docs`, out of the files in the swagger-ui package. The
 * package's own Fastify plugin is not used: it serves a folder, streams each file anew from the disk
 * for every reader, and has no place for the policy below.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { SECURITY_HEADERS } from '#src/api/protection';
import { fileAt, fileOf, serveFiles } from '#src/api/static-files';

const FROM_PACKAGE = [
  'swagger-ui.css',
  'index.css',
  'favicon-32x32.png',
  'swagger-ui-bundle.js',
  'swagger-ui-standalone-preset.js',
] as const;

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bullion: the API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<link rel="stylesheet" href="/docs/static/index.css">
<link rel="icon" type="image/png" href="/docs/static/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/static/swagger-ui-standalone-preset.js"></script>
<script src="/docs/static/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: '/docs/json',
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout',
  validatorUrl: null,
  tryItOutEnabled: true,
});
`;

/** The one style element that the library makes; a newer library may need another. */
const STYLE_HASH = 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=';
/** The arrows in its style sheet are data: images. */
const POLICY = `${SECURITY_HEADERS['content-security-policy']}; style-src 'self' '${STYLE_HASH}'; img-src 'self' data:`;

export function registerDocumentPage(app: FastifyInstance): void {
  const folder = fileURLToPath(new URL('./static/', import.meta.resolve('@fastify/swagger-ui')));
  const files = [
    fileOf('/docs', '.html', HTML),
    fileOf('/docs/', '.html', HTML),
    fileOf('/docs/static/start.js', '.js', START),
    ...FROM_PACKAGE.map((name) => fileAt(`/docs/static/${name}`, join(folder, name))),
  ];
  serveFiles(app, files, POLICY);
}
