import { app, Menu, type MenuItemConstructorOptions, nativeImage, Tray } from "electron";
import type { Chosen, Summary } from "../bridge.ts";
import icon from "../icons/tray.png?inline";
import { startAtLogin, startsAtLogin } from "./login.ts";

const NAME = "Porchlight";
/** Before any view has said anything. */
const NOBODY: Summary = {
  state: "",
  chosen: "auto",
  unread: 0,
  choices: [],
  words: { open: `Open ${NAME}`, start_at_login: "Start at login", quit: "Quit" },
};

/** What can be asked for in the tray. */
export interface Asked {
  choose(choice: Chosen): void;
  open(): void;
  quit(): void;
}

/** The app in the tray: the own state, and the choices in the user's words. */
export class TrayMenu {
  readonly #asked: Asked;
  readonly #tray: Tray;

  constructor(asked: Asked) {
    this.#asked = asked;
    this.#tray = new Tray(image());
    this.#tray.on("click", () => this.#asked.open());
    this.show(NOBODY);
  }

  show(summary: Summary): void {
    const { state, unread } = summary;
    this.#tray.setToolTip(state === "" ? NAME : `${NAME}: ${state}`);
    this.#tray.setContextMenu(Menu.buildFromTemplate(this.#items(summary)));
    app.setBadgeCount(unread);
  }

  close(): void {
    this.#tray.destroy();
  }

  #items({ chosen, choices, words }: Summary): MenuItemConstructorOptions[] {
    const separator = { type: "separator" } as const;
    return [
      ...choices.map(
        (choice): MenuItemConstructorOptions => ({
          label: choice.words,
          type: "radio",
          checked: choice.chosen === chosen,
          click: () =>
            this.#asked.choose(
              choice.chosen === "auto" ? { auto: true } : { state: choice.chosen },
            ),
        }),
      ),
      ...(choices.length > 0 ? [separator] : []),
      { label: words.open, click: () => this.#asked.open() },
      {
        label: words.start_at_login,
        type: "checkbox",
        checked: startsAtLogin(),
        click: ({ checked }) => startAtLogin(checked),
      },
      separator,
      { label: words.quit, click: () => this.#asked.quit() },
    ];
  }
}

/** Drawn for displays with two pixels a point; elsewhere the system halves it. */
function image(): Electron.NativeImage {
  const drawn = nativeImage.createEmpty();
  drawn.addRepresentation({ scaleFactor: 2, dataURL: icon });
  return drawn;
}
