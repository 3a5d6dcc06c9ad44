import { app, type Session, session, shell, type WebContents } from "electron";
import { isOwn } from "./origin.ts";

/** Every renderer is in a sandbox. Has to be called before the app is ready. */
export function sandboxAll(): void {
  app.enableSandbox();
  app.on("web-contents-created", (_event, contents) => confine(contents));
}

/** Asks the user for nothing on behalf of a page, and hands it nothing: whatever a page may do, it may do unasked. */
export function denyPermissions(of: Session = session.defaultSession): void {
  of.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  of.setPermissionCheckHandler(() => false);
  of.setDevicePermissionHandler(() => false);
  of.on("will-download", (event) => event.preventDefault());
}

/** Keeps a page where it is: it goes nowhere else, and opens and embeds nothing. */
function confine(contents: WebContents): void {
  contents.setWindowOpenHandler(({ url }) => {
    if (URL.parse(url)?.protocol === "https:") void shell.openExternal(new URL(url).href);
    return { action: "deny" };
  });
  const stay = (event: { readonly url: string; preventDefault(): void }): void => {
    if (!isOwn(event.url)) event.preventDefault();
  };
  contents.on("will-navigate", stay);
  contents.on("will-redirect", stay);
  contents.on("will-frame-navigate", stay);
  contents.on("will-attach-webview", (event) => event.preventDefault());
}
