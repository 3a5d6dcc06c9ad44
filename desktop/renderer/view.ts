import { mount } from "svelte";
import type { Shell } from "../bridge.ts";
import "./app.css";
import View from "./components/View.svelte";
import { App } from "./state/app.svelte.ts";

/** Draws the view, as soon as there is something to draw. */
export async function draw(shell: Shell): Promise<void> {
  const target = document.getElementById("view");
  if (target === null) throw new TypeError("Cannot draw the view without its place on the page");
  const app = new App({ shell, channel: () => new BroadcastChannel("porchlight") });
  await app.start();
  mount(View, { target, props: { app } });
}
