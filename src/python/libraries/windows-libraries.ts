/**
 * Libraries that each Windows 10 and later has, N editions and Server Core apart, as far as wheels ask for them. What begins with
 * `api-ms-` or `ext-ms-` is no file: Windows has a table of these names (API sets).
 */
const SYSTEM = new Set(
  `advapi32 avrt bcrypt bcryptprimitives cabinet cfgmgr32 combase comctl32 comdlg32 credui crypt32 cryptbase cryptsp
   d2d1 d3d9 d3d10 d3d11 d3d12 d3dcompiler_47 dbghelp dcomp ddraw devobj dhcpcsvc dinput8 dnsapi dsound dwmapi dwrite dxcore
   dxgi dxva2 gdi32 gdi32full gdiplus glu32 hid imagehlp imm32 iphlpapi kernel32 kernelbase ktmw32 mpr msacm32 mscoree msi msimg32
   msvcrt mswsock ncrypt netapi32 newdev normaliz ntdll ntdsapi odbc32 ole32 oleacc oleaut32 opengl32 pdh powrprof
   propsys psapi rasapi32 rpcrt4 secur32 sensapi setupapi shcore shell32 shlwapi sspicli synchronization
   tdh urlmon user32 userenv usp10 uxtheme version wer wevtapi win32u winhttp wininet winmm winspool.drv
   winscard winusb wintrust wlanapi wldap32 ws2_32 wsock32 wtsapi32 xinput1_4 xinput9_1_0 xmllite ucrtbase`
    .split(/\s+/)
    .map((name) => (name.includes('.') ? name : `${name}.dll`)),
);

/** What the installer of CPython brings beside its program (since 3.5, and since 3.8 the second). */
const OF_PYTHON =
  /^(?:python3\d*t?(?:_d)?|vcruntime140(?:_1)?|libffi-\d+|libcrypto-\d(?:_\d)?|libssl-\d(?:_\d)?|sqlite3|tcl86t|tk86t|zlib1)\.dll$/;

/** Whether Windows, or the Python of a station, has a library. */
export function isOfWindows(library: string): boolean {
  const name = library.toLowerCase();
  return /^(?:api|ext)-ms-/.test(name) || SYSTEM.has(name) || OF_PYTHON.test(name);
}
