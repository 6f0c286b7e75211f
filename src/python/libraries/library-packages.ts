/** Packages of systems that have a library. */
export interface LibraryPackages {
  /** Of Debian 12 and Ubuntu. */
  debian: string;
  /** Of RHEL 9, its clones and Fedora. */
  rhel: string;
}

/** `Debian's, RHEL's`, by the names that begin so. Debian's names were looked up in Debian 12. */
const PACKAGES: Readonly<Record<string, string>> = {
  'libGL.so': 'libgl1, mesa-libGL',
  'libGLX.so': 'libglx0, libglvnd-glx',
  'libOpenGL.so': 'libopengl0, libglvnd-opengl',
  'libEGL.so': 'libegl1, libglvnd-egl',
  'libGLESv2.so': 'libgles2, libglvnd-gles',
  'libGLU.so': 'libglu1-mesa, mesa-libGLU',
  'libgbm.so': 'libgbm1, mesa-libgbm',
  'libdrm.so': 'libdrm2, libdrm',
  'libvulkan.so': 'libvulkan1, vulkan-loader',
  'libOpenCL.so': 'ocl-icd-libopencl1, ocl-icd',
  'libva.so': 'libva2, libva',
  'libglib-2.0.so': 'libglib2.0-0, glib2',
  'libgthread-2.0.so': 'libglib2.0-0, glib2',
  'libgobject-2.0.so': 'libglib2.0-0, glib2',
  'libgio-2.0.so': 'libglib2.0-0, glib2',
  'libgmodule-2.0.so': 'libglib2.0-0, glib2',
  'libSM.so': 'libsm6, libSM',
  'libICE.so': 'libice6, libICE',
  'libX11.so': 'libx11-6, libX11',
  'libX11-xcb.so': 'libx11-xcb1, libX11-xcb',
  'libXext.so': 'libxext6, libXext',
  'libXrender.so': 'libxrender1, libXrender',
  'libXi.so': 'libxi6, libXi',
  'libXtst.so': 'libxtst6, libXtst',
  'libXrandr.so': 'libxrandr2, libXrandr',
  'libXfixes.so': 'libxfixes3, libXfixes',
  'libXcursor.so': 'libxcursor1, libXcursor',
  'libXcomposite.so': 'libxcomposite1, libXcomposite',
  'libXdamage.so': 'libxdamage1, libXdamage',
  'libXinerama.so': 'libxinerama1, libXinerama',
  'libXss.so': 'libxss1, libXScrnSaver',
  'libxcb.so': 'libxcb1, libxcb',
  'libxcb-cursor.so': 'libxcb-cursor0, xcb-util-cursor',
  'libxcb-icccm.so': 'libxcb-icccm4, xcb-util-wm',
  'libxcb-image.so': 'libxcb-image0, xcb-util-image',
  'libxcb-keysyms.so': 'libxcb-keysyms1, xcb-util-keysyms',
  'libxcb-render-util.so': 'libxcb-render-util0, xcb-util-renderutil',
  'libxcb-xinerama.so': 'libxcb-xinerama0, libxcb',
  'libxkbcommon.so': 'libxkbcommon0, libxkbcommon',
  'libxkbcommon-x11.so': 'libxkbcommon-x11-0, libxkbcommon-x11',
  'libwayland-client.so': 'libwayland-client0, libwayland-client',
  'libdbus-1.so': 'libdbus-1-3, dbus-libs',
  'libfontconfig.so': 'libfontconfig1, fontconfig',
  'libfreetype.so': 'libfreetype6, freetype',
  'libcairo.so': 'libcairo2, cairo',
  'libpango-1.0.so': 'libpango-1.0-0, pango',
  'libgdk_pixbuf-2.0.so': 'libgdk-pixbuf-2.0-0, gdk-pixbuf2',
  'libgtk-3.so': 'libgtk-3-0, gtk3',
  'libgtk-x11-2.0.so': 'libgtk2.0-0, gtk2',
  'libatk-1.0.so': 'libatk1.0-0, atk',
  'libnss3.so': 'libnss3, nss',
  'libnspr4.so': 'libnspr4, nspr',
  'libcups.so': 'libcups2, cups-libs',
  'libgomp.so': 'libgomp1, libgomp',
  'libstdc++.so': 'libstdc++6, libstdc++',
  'libgcc_s.so': 'libgcc-s1, libgcc',
  'libgfortran.so': 'libgfortran5, libgfortran',
  'libquadmath.so': 'libquadmath0, libquadmath',
  'libatomic.so': 'libatomic1, libatomic',
  'libopenblas.so': 'libopenblas0, openblas',
  'libtbb.so': 'libtbb12, tbb',
  'libnuma.so': 'libnuma1, numactl-libs',
  'libz.so': 'zlib1g, zlib',
  'libbz2.so': 'libbz2-1.0, bzip2-libs',
  'liblzma.so': 'liblzma5, xz-libs',
  'libffi.so': 'libffi8, libffi',
  'libexpat.so': 'libexpat1, expat',
  'libuuid.so': 'libuuid1, libuuid',
  'libsqlite3.so': 'libsqlite3-0, sqlite-libs',
  'libreadline.so': 'libreadline8, readline',
  'libtinfo.so': 'libtinfo6, ncurses-libs',
  'libncursesw.so': 'libncursesw6, ncurses-libs',
  'libcrypt.so': 'libcrypt1, libxcrypt-compat',
  'libnsl.so': 'libnsl2, libnsl',
  'libpthread.so': 'libc6, glibc',
  'libdl.so': 'libc6, glibc',
  'librt.so': 'libc6, glibc',
  'ld-linux-x86-64.so': 'libc6, glibc',
  'libssl.so.3': 'libssl3, openssl-libs',
  'libcrypto.so.3': 'libssl3, openssl-libs',
  'libssl.so.1.1': 'libssl1.1 (Debian 11), compat-openssl11',
  'libcrypto.so.1.1': 'libssl1.1 (Debian 11), compat-openssl11',
  'libcurl.so': 'libcurl4, libcurl',
  'libxml2.so': 'libxml2, libxml2',
  'libjpeg.so.62': 'libjpeg62-turbo, libjpeg-turbo',
  'libpng16.so': 'libpng16-16, libpng',
  'libtiff.so': 'libtiff6, libtiff',
  'libwebp.so': 'libwebp7, libwebp',
  'libhdf5.so': 'libhdf5-103, hdf5',
  'libasound.so': 'libasound2, alsa-lib',
  'libsndfile.so': 'libsndfile1, libsndfile',
  'libportaudio.so': 'libportaudio2, portaudio',
  'libusb-1.0.so': 'libusb-1.0-0, libusbx',
  'libudev.so': 'libudev1, systemd-libs',
  'libv4l2.so': 'libv4l-0, libv4l',
  'libdc1394.so': 'libdc1394-25, libdc1394',
  'libraw1394.so': 'libraw1394-11, libraw1394',
  'libgstreamer-1.0.so': 'libgstreamer1.0-0, gstreamer1',
  'libgstapp-1.0.so': 'libgstreamer-plugins-base1.0-0, gstreamer1-plugins-base',
  'libzbar.so': 'libzbar0, zbar',
  'libdmtx.so': 'libdmtx0b, libdmtx',
  'libodbc.so': 'libodbc2, unixODBC',
  'libpq.so': 'libpq5, libpq',
  'libmariadb.so': 'libmariadb3, mariadb-connector-c',
  'libc.so.6': 'libc6, glibc',
  'libm.so.6': 'libc6, glibc',
};

/** What comes with the driver of a graphics card, and is no package of the system. */
const DRIVER = /^lib(cuda|nvidia-[a-z]+|nvcuvid|nvoptix)\.so/;
/** What NVIDIA publishes as wheels and in the CUDA toolkit. */
const CUDA =
  /^lib(cudart|cublas|cublasLt|cudnn\w*|cufft|curand|cusolver|cusparse|nccl|nvrtc|nvinfer\w*|nvToolsExt|cupti)\.so/;

/** The packages that have a library; undefined where they are not known. */
export function packagesOf(library: string): LibraryPackages | undefined {
  const key = Object.keys(PACKAGES)
    .filter((start) => library === start || library.startsWith(`${start}.`))
    .sort((a, b) => b.length - a.length)[0];
  if (key === undefined) return undefined;
  const [debian = '', rhel = ''] = (PACKAGES[key] ?? '').split(', ');
  return { debian, rhel };
}

/** What to do, in one line, where a library is missing. */
export function remedyForLibrary(library: string): string {
  const known = packagesOf(library);
  if (known) {
    const other =
      library === 'libGL.so.1'
        ? ', or have the package made with opencv-python-headless, which does not need it'
        : '';
    return `Install it: apt install ${known.debian} (Debian, Ubuntu), dnf install ${known.rhel} (RHEL, Fedora)${other}`;
  }
  if (DRIVER.test(library)) {
    return 'Install the driver of the NVIDIA card; in a container give the card to it (--gpus all)';
  }
  if (CUDA.test(library)) {
    return 'Have the package made with the wheels of NVIDIA that have it (nvidia-…-cu12), or install the CUDA toolkit of that version';
  }
  return `Find the package that has it (apt-file search ${library}, dnf provides '*/${library}') and install that, or have the wheel made with it inside (auditwheel repair)`;
}

/** The same for a library of Windows. */
export function remedyForDll(library: string): string {
  const name = library.toLowerCase();
  if (/^(vcruntime|msvcp|concrt|vcomp|mfc)\d+/.test(name)) {
    return 'Install the Visual C++ Redistributable 2015-2022 of Microsoft (vc_redist.x64.exe)';
  }
  if (/^(mf|mfplat|mfreadwrite|avicap32|msvfw32|avifil32|evr)\.dll$/.test(name)) {
    return 'Install the Media Feature Pack (Windows N) or Desktop Experience (Windows Server)';
  }
  if (/^(nvcuda|nvml)\.dll$/.test(name)) return 'Install the driver of the NVIDIA card';
  if (/^(cudart|cublas|cudnn|cufft|curand|cusolver|cusparse|nvrtc|nvinfer)/.test(name)) {
    return 'Install the CUDA toolkit of that version, or have the package made with wheels that have it';
  }
  return `Find the product that has ${library} and install it, or have the wheel made with it inside (delvewheel repair)`;
}
