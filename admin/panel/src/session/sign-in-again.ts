// The way to the sign-in page and back. Pages are loaded anew on the way, so that nothing of another session is left.

/** Asks for a sign-in, then comes back to this very page. */
export function signInAgain() {
  if (location.pathname.endsWith("/sign-in")) return;
  const here = location.pathname.slice("/admin".length) + location.search;
  location.assign(`/admin/sign-in?${new URLSearchParams({ to: here })}`);
}

/** The page of this panel that a sign-in leads to, whatever the address says. */
export function destination(to: string | undefined) {
  return to?.startsWith("/") && !/^\/[/\\]/.test(to) ? `/admin${to}` : "/admin/";
}
