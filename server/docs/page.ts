/**
 * The page of the reference. Its links are relative, so that it works below
 * any prefix. @param root the way from the page to where `/docs` begins.
 */
export function pageAt(root: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Porchlight: requests</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${root}docs/swagger-ui.css">
    <script src="${root}docs/swagger-ui-bundle.js" defer></script>
    <script src="${root}docs/start.js" defer></script>
  </head>
  <body>
    <div id="reference"></div>
  </body>
</html>
`;
}

/** What its script does. Nobody else is asked anything: by default a validator would be. */
export const START = `window.SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
`;
