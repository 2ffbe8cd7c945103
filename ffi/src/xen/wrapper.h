#include <xenforeignmemory.h>
