// Light, dark, or as the system says; kept in this browser.
import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const PREFERENCE = "snaphaven.theme";
const listeners = new Set<() => void>();

function theme(): Theme {
  const kept = localStorage.getItem(PREFERENCE);
  return THEMES.find((name) => name === kept) ?? "system";
}

export function applyTheme() {
  document.documentElement.dataset.theme = theme();
}

export function setTheme(name: Theme) {
  localStorage.setItem(PREFERENCE, name);
  applyTheme();
  for (const tell of listeners) tell();
}

export function useTheme() {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, theme);
}
