import { contextBridge, ipcRenderer } from "electron";
import { SAID } from "../main/channels.ts";
import { watchInput } from "./input.ts";
import { windowShell } from "./shell.ts";

contextBridge.exposeInMainWorld("porchlight", windowShell());
watchInput(() => ipcRenderer.send(SAID.input));
