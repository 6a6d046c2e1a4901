// The namespace and vector width of the variant being compiled.
//
// Every source in kernels/variants/ is compiled once a processor: same text,
// other flags, each in its own namespace. DANGER: nothing with vague linkage
// (std:: templates, inline functions outside HEARTH_KERNEL_VARIANT) may be used
// there: the linker keeps one copy, and an old processor could be handed the
// AVX-512 one.
#pragma once

#ifndef HEARTH_KERNEL_VARIANT
#define HEARTH_KERNEL_VARIANT baseline
#endif

#if defined(__AVX512F__)
#define HEARTH_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define HEARTH_VECTOR_BYTES 32
#else
#define HEARTH_VECTOR_BYTES 16
#endif
