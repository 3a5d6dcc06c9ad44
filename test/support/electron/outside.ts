import { EventEmitter } from "node:events";

/** How an app describes one line of a menu. */
export interface MenuTemplate {
  readonly label?: string;
  readonly type?: string;
  readonly role?: string;
  readonly checked?: boolean;
  readonly submenu?: readonly MenuTemplate[];
  readonly click?: (item: MenuItem) => void;
}

/** One line of a menu. */
export class MenuItem {
  readonly label: string;
  readonly type: string;
  readonly role: string | undefined;
  readonly submenu: Menu | undefined;
  checked: boolean;
  readonly #click: (item: MenuItem) => void;

  constructor(template: MenuTemplate) {
    const { label = "", type = "normal", role, submenu, checked = false } = template;
    this.label = label;
    this.type = type;
    this.role = role;
    this.submenu = submenu === undefined ? undefined : new Menu(submenu);
    this.checked = checked;
    this.#click = template.click ?? (() => {});
  }

  click(): void {
    if (this.type === "checkbox") this.checked = !this.checked;
    this.#click(this);
  }
}

/** `Menu`: what it was built of. */
export class Menu {
  readonly items: readonly MenuItem[];

  constructor(templates: readonly MenuTemplate[]) {
    this.items = templates.map((each) => new MenuItem(each));
  }

  /** The line with this label, here or in a menu within. */
  at(label: string): MenuItem {
    const item = this.#all().find((each) => each.label === label);
    if (item === undefined) throw new Error(`There is no line "${label}"`);
    return item;
  }

  #all(): MenuItem[] {
    return this.items.flatMap((item) =>
      item.submenu === undefined ? [item] : [item, ...item.submenu.#all()],
    );
  }
}

/** `Tray`: what it shows. */
export class Tray extends EventEmitter {
  toolTip = "";
  menu = new Menu([]);
  isDestroyed = false;

  setToolTip(text: string): void {
    this.toolTip = text;
  }

  setContextMenu(menu: Menu): void {
    this.menu = menu;
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

/** `Notification`. The user clicks it by `emit("click")`. */
export class Notification extends EventEmitter {
  readonly title: string;
  readonly body: string;

  constructor({ title, body }: { title: string; body: string }) {
    super();
    this.title = title;
    this.body = body;
  }

  static isSupported(): boolean {
    return true;
  }

  show(): void {}
}

/** What an app puts before its user outside of its windows. */
export class Outside {
  tray: Tray | undefined;
  menu: Menu | undefined;
  /** In the order in which they were shown. */
  readonly notifications: Notification[] = [];

  /** The classes of `electron` that put something there. */
  get classes(): Readonly<Record<string, unknown>> {
    const show = (change: (outside: Outside) => void): void => change(this);
    return {
      Menu: {
        buildFromTemplate: (items: readonly MenuTemplate[]) => new Menu(items),
        setApplicationMenu: (menu: Menu) => show((outside) => Object.assign(outside, { menu })),
      },
      Tray: class extends Tray {
        constructor() {
          super();
          show((outside) => Object.assign(outside, { tray: this }));
        }
      },
      Notification: class extends Notification {
        override show(): void {
          show((outside) => outside.notifications.push(this));
        }
      },
      nativeImage: { createEmpty: () => ({ addRepresentation: () => {} }) },
    };
  }
}
