import { type Rectangle, screen } from "electron";
import type { KeptFile } from "./kept-file.ts";

/** Where a window stood, and how. */
export interface Bounds extends Partial<Rectangle> {
  readonly width: number;
  readonly height: number;
  readonly maximized: boolean;
}

const FIRST: Bounds = { width: 1_000, height: 720, maximized: false };
/** So much of a window has to be on a display for its user to get hold of it. */
const SEEN_PX = 64;

/** Where the next window goes: where the last one was, if that can still be seen. */
export function boundsFrom(file: KeptFile): Bounds {
  const kept = boundsOf(file.read());
  return kept !== undefined && isSeen(kept) ? kept : FIRST;
}

function boundsOf(kept: unknown): (Rectangle & Bounds) | undefined {
  if (typeof kept !== "object" || kept === null) return undefined;
  const { x, y, width, height, maximized } = kept as Partial<Record<string, unknown>>;
  if (!isWhole(x) || !isWhole(y) || !isWhole(width) || !isWhole(height)) return undefined;
  return width > 0 && height > 0
    ? { x, y, width, height, maximized: maximized === true }
    : undefined;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isSeen(bounds: Rectangle): boolean {
  return screen.getAllDisplays().some(({ workArea }) => {
    const wide = Math.min(bounds.x + bounds.width, workArea.x + workArea.width);
    const high = Math.min(bounds.y + bounds.height, workArea.y + workArea.height);
    return (
      wide - Math.max(bounds.x, workArea.x) >= SEEN_PX &&
      high - Math.max(bounds.y, workArea.y) >= SEEN_PX
    );
  });
}
